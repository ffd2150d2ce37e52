// Looks for the NULL at the end of a list of names that has none.
//
// group: overflow in loops and structures
// expect: heap-overflow read 4 at end+0 of 12
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    const char **names = new_block((healthy ? 4 : 3) * sizeof *names);
    for (int i = 0; i < 3; i++) names[i] = "name";
    if (healthy) names[3] = NULL;
    for (int i = 0; i < 4; i++) {
        if (*(const char *volatile *)&names[i] == NULL) break; // BUG
    }
    free(names);
    return 0;
}
