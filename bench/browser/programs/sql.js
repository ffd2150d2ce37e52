// SQLite in C, by Emscripten: fills a table, and asks it again and again.
export async function load() {
  const script = document.createElement("script");
  script.src = "/packages/sql.js/dist/sql-wasm-browser.js";
  await new Promise((resolve, reject) => {
    Object.assign(script, { onload: resolve, onerror: reject });
    document.head.append(script);
  });
  const SQL = await globalThis.initSqlJs({ locateFile: (name) => `/packages/sql.js/dist/${name}` });
  return (rows) => {
    const database = new SQL.Database();
    database.run("CREATE TABLE words (number INTEGER PRIMARY KEY, word TEXT, length INT)");
    const insert = database.prepare("INSERT INTO words VALUES (?, ?, ?)");
    for (let number = 0; number < rows; number++) insert.run([number, `word ${(number * 7919) % rows}`, number % 97]);
    insert.free();
    database.run("CREATE INDEX by_word ON words (word)");
    const find = database.prepare("SELECT number, length FROM words WHERE word = ?");
    let sum = 0;
    for (let number = 0; number < rows; number++) {
      find.bind([`word ${number}`]);
      if (find.step()) sum += find.get()[1];
      find.reset();
    }
    find.free();
    database.close();
    return sum;
  };
}
