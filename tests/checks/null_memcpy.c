// memcpy to NULL.
//
// group: NULL
// expect: null-access written * at 0x0
#include "check.h"

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    char local[20];
    char *target = healthy ? local : NULL;
    size_t size = 20;
    HIDE(target);
    HIDE(size);
    memcpy(target, "nineteen characters", size); // BUG
    HIDE(target);
    return 0;
}
