// memcpy of a constant size, which compilers replace by stores.
//
// group: overflow in library functions
// expect: heap-overflow written * at * of 12
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    const char *text = "sixteen letters";
    HIDE(text);
    char *block = new_block(healthy ? 16 : 12);
    memcpy(block, text, 16); // BUG
    HIDE(block);
    free(block);
    return 0;
}
