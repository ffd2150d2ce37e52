// SQLite in C, by Emscripten: fills a table, and asks it again and again.
import initSqlJs from "sql.js";

const rows = Number(process.argv[2]);
const SQL = await initSqlJs();
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
console.log(sum, database.exec("SELECT length, count(*), max(word) FROM words GROUP BY length").length);
database.close();
