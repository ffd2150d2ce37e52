// Fills an in-memory SQLite database, queries it, deletes from it, and prints
// SQLite's own counters of the heap after each step, to be compared with
// linmem's. Arguments: the number of rows (20,000 by default), and
// `leave-open` to exit without closing the database.
//
// How the two relate: SQLite rounds every size up to a multiple of 8, and its
// sqlite3MemMalloc asks malloc for 8 bytes more, where it keeps the size
// (unless it is built with a malloc_usable_size). So at any one time
//
//   blocks in linmem = blocks in SQLite                   (+ 2 of argv)
//   bytes in linmem  = bytes in SQLite + 8 * blocks       (+ those of argv)
//
// The two peaks need not be at the same time, so the peak of linmem's bytes is
// only known to lie between SQLite's with and without 8 * its most blocks.
// argv is allocated by wasi-libc, which never frees it; stdio allocates nothing.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite3.h"

static sqlite3 *db;

static void print_counter(const char *name, int counter) {
    sqlite3_int64 now, highest;
    sqlite3_status64(counter, &now, &highest, 0);
    printf("  %-15s now %8lld, highest %8lld\n", name, now, highest);
}

static void print_counters(const char *after) {
    printf("%s:\n", after);
    print_counter("bytes", SQLITE_STATUS_MEMORY_USED);
    print_counter("blocks", SQLITE_STATUS_MALLOC_COUNT);
    print_counter("largest request", SQLITE_STATUS_MALLOC_SIZE);
}

static void check(int result, int expected) {
    if (result == expected) return;
    fprintf(stderr, "sqlite: %s\n", sqlite3_errmsg(db));
    exit(1);
}

static void execute(const char *sql) {
    check(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
}

static sqlite3_int64 query_number(const char *sql) {
    sqlite3_stmt *statement;
    check(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    check(sqlite3_step(statement), SQLITE_ROW);
    sqlite3_int64 number = sqlite3_column_int64(statement, 0);
    sqlite3_finalize(statement);
    return number;
}

static void insert_rows(int rows) {
    sqlite3_stmt *statement;
    const char *sql = "INSERT INTO person(id, name, age) VALUES(?1, ?2, ?3)";
    check(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    execute("BEGIN");
    for (int id = 1; id <= rows; id++) {
        char *name = sqlite3_mprintf("person number %d", id * 7919 % rows);
        sqlite3_bind_int(statement, 1, id);
        sqlite3_bind_text(statement, 2, name, -1, sqlite3_free);
        sqlite3_bind_int(statement, 3, id % 90);
        check(sqlite3_step(statement), SQLITE_DONE);
        sqlite3_reset(statement);
    }
    execute("COMMIT");
    sqlite3_finalize(statement);
}

// Looks every row up by its name, and returns the sum of their ages.
static sqlite3_int64 look_up_rows(int rows) {
    sqlite3_stmt *statement;
    const char *sql = "SELECT age FROM person WHERE name = ?1";
    check(sqlite3_prepare_v2(db, sql, -1, &statement, NULL), SQLITE_OK);
    sqlite3_int64 sum = 0;
    for (int number = 0; number < rows; number++) {
        char name[32];
        sqlite3_snprintf(sizeof name, name, "person number %d", number);
        sqlite3_bind_text(statement, 1, name, -1, SQLITE_STATIC);
        while (sqlite3_step(statement) == SQLITE_ROW) sum += sqlite3_column_int64(statement, 0);
        sqlite3_reset(statement);
    }
    sqlite3_finalize(statement);
    return sum;
}

int main(int argc, char **argv) {
    int rows = argc > 1 ? atoi(argv[1]) : 20000;
    int leave_open = argc > 2 && strcmp(argv[2], "leave-open") == 0;

    check(sqlite3_open(":memory:", &db), SQLITE_OK);
    execute("CREATE TABLE person(id INTEGER PRIMARY KEY, name TEXT, age INTEGER)");
    print_counters("opened");
    insert_rows(rows);
    print_counters("rows inserted");
    execute("CREATE INDEX person_name ON person(name)");
    print_counters("index created");
    printf("%lld names with a 9, %lld pairs with the same name and age\n",
           query_number("SELECT count(*) FROM person WHERE name LIKE '%9%'"),
           query_number("SELECT count(*) FROM person a JOIN person b USING(name, age)"));
    printf("%lld rows, %lld of age 30, first name has id %lld\n",
           query_number("SELECT count(*) FROM person"),
           query_number("SELECT count(*) FROM person WHERE age = 30"),
           query_number("SELECT id FROM person ORDER BY name LIMIT 1"));
    printf("sum of all ages, looked up by name: %lld\n", look_up_rows(rows));
    execute("DELETE FROM person WHERE age > 60");
    printf("%lld rows after a delete, %lld different ages\n",
           query_number("SELECT count(*) FROM person"),
           query_number("SELECT count(DISTINCT age) FROM person"));
    print_counters("queried and deleted");
    if (leave_open) return 0;

    sqlite3_close(db);
    print_counters("closed");
    sqlite3_shutdown();
    print_counters("shut down");
    return 0;
}
