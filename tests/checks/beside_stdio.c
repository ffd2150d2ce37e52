// Prints, and reads past the end of a block.
//
// group: beside other memory
// expect: heap-overflow read 1 at end+0 of 20
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char *block = new_block(20);
    setvbuf(stdout, NULL, _IOFBF, 4096);
    printf("%s %d %.3f\n", "text", 12, 1.5);
    for (int i = 0; i < 20; i++) putchar('a' + i);
    puts("");
    fflush(stdout);
    size_t index = healthy ? 19 : 20;
    HIDE(index);
    sink = block[index]; // BUG
    free(block);
    return 0;
}
