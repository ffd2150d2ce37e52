// SQLite, compiled by Emscripten with minified names. The statement is never freed, and the database
// never closed.
import initSqlJs from "sql.js";

const SQL = await initSqlJs();
const database = new SQL.Database();
database.run("CREATE TABLE rows (number INT, text TEXT)");
for (let i = 0; i < 100; i++) database.run("INSERT INTO rows VALUES (?, ?)", [i, `row ${i}`]);
const statement = database.prepare("SELECT count(*) AS rows, max(text) AS last FROM rows");
statement.step();
console.log(statement.getAsObject());
