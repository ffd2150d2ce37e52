// Loses a block and then traps.
//
// linmem reports the trap (`unreachable`, in check_answer), and 1 definite
// leak of 100 bytes from forget_message.
#include <stdlib.h>
#include <string.h>

// Each function keeps a frame of its own in call stacks.
#define NOINLINE __attribute__((noinline))

NOINLINE static void forget_message(void) {
    char *volatile message = malloc(100);
    strcpy(message, "nobody frees this");
}

NOINLINE static void check_answer(int answer) {
    if (answer != 42) __builtin_trap();
}

int main(void) {
    forget_message();
    volatile int answer = 41;
    check_answer(answer);
    return 0;
}
