// Checks whether malloc returned NULL, and stops. Run it with --max-pages 4.
//
// linmem then reports: 6 allocations of 30,000 bytes and 1 failed one, which
// the program handled: it frees what it has, says so, and exits with 0.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGES 16
#define MESSAGE_SIZE 30000

static char *new_message(void) {
    char *message = malloc(MESSAGE_SIZE);
    if (message != NULL) strcpy(message, "hello");
    return message;
}

int main(void) {
    static char *messages[MESSAGES];
    int count = 0;
    while (count < MESSAGES && (messages[count] = new_message()) != NULL) count++;

    puts(count < MESSAGES ? "out of memory, some messages were dropped" : "all messages stored");
    for (int i = 0; i < count; i++) free(messages[i]);
    return 0;
}
