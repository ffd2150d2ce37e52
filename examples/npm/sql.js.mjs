// SQLite, compiled by Emscripten with minified names. Its statements have to be freed and its databases closed; "leak"
// does neither.
import initSqlJs from "sql.js";

const SQL = await initSqlJs();
let rows = 0;
for (let time = 0; time < 5; time++) {
  const database = new SQL.Database();
  database.run("CREATE TABLE rows (number INT, text TEXT)");
  for (let i = 0; i < 20; i++) database.run("INSERT INTO rows VALUES (?, ?)", [i, `row ${i}`]);
  const statement = database.prepare("SELECT count(*) AS rows FROM rows");
  statement.step();
  rows += statement.getAsObject().rows;
  if (process.argv[2] !== "leak") statement.free();
  if (process.argv[2] !== "leak") database.close();
}
console.log(rows);
