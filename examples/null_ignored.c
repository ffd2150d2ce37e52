// Never checks whether malloc returned NULL. Run it with --max-pages 4.
//
// linmem then reports: 6 allocations of 30,000 bytes, 10 failed ones, and
// that the program wrote to address 0 after them (null-ignored): a write
// there does not trap in WebAssembly. The program sees nothing and exits
// with 0. Without a limit all 16 fit. Nothing leaks.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES 16
#define MESSAGE_SIZE 30000

static char *new_message(void) {
    char *message = malloc(MESSAGE_SIZE);
    return strcpy(message, "hello");
}

int main(void) {
    static char *messages[MESSAGES];
    for (int i = 0; i < MESSAGES; i++) messages[i] = new_message();
    puts(messages[MESSAGES - 1]);
    for (int i = 0; i < MESSAGES; i++) free(messages[i]);
    return 0;
}
