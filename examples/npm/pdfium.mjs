// PDFium, in C++, by Emscripten with its assertions. Documents have to be destroyed; "leak" forgets to.
import { PDFiumLibrary } from "@hyzyla/pdfium";

function pdfOf(text) {
  const stream = `BT /F1 24 Tf 20 100 Td (${text}) Tj ET`;
  const bodies = [
    "<</Type/Catalog/Pages 2 0 R>>",
    "<</Type/Pages/Kids[3 0 R]/Count 1>>",
    "<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 200]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
    `<</Length ${stream.length}>>stream\n${stream}\nendstream`,
    "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
  ];
  let file = "%PDF-1.4\n";
  const entries = bodies.map((body, index) => {
    const entry = `${String(file.length).padStart(10, "0")} 00000 n \n`;
    file += `${index + 1} 0 obj${body}endobj\n`;
    return entry;
  });
  const trailer = `trailer<</Size 6/Root 1 0 R>>\nstartxref\n${file.length}\n%%EOF`;
  return Buffer.from(`${file}xref\n0 6\n0000000000 65535 f \n${entries.join("")}${trailer}`);
}

async function draw(library, bytes) {
  const document = await library.loadDocument(bytes);
  let drawn = 0;
  for (const page of document.pages()) {
    const { data } = await page.render({ scale: 1, render: "bitmap" });
    drawn += data.length;
  }
  if (process.argv[2] !== "leak") document.destroy();
  return drawn;
}

const library = await PDFiumLibrary.init();
let drawn = 0;
for (let number = 0; number < 20; number++) drawn += await draw(library, pdfOf(`Page ${number}`));
library.destroy();
console.log(drawn);
