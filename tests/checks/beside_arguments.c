// Reads its arguments and environment, and reads past the end of a block.
//
// group: beside other memory
// expect: heap-overflow read 1 at end+0 of 20
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    for (int i = 0; i < argc; i++) sink += (int)strlen(argv[i]);
    sink += argv[argc] == NULL;
    sink += getenv("HOME") != NULL;
    char *block = new_block(20);
    size_t index = healthy ? 19 : 20;
    HIDE(index);
    sink = block[index]; // BUG
    free(block);
    return 0;
}
