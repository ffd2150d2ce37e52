// Calls a function whose pointer lies in a freed structure.
//
// group: use after free
// expect: use-after-free read 4 at start+0 of 8
#include "check.h"

struct object {
    void (*use)(void);
    int32_t value;
};

static void use(void) {
    sink++;
}

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    struct object *object = new_block(sizeof *object);
    object->value = 1;
    object->use = use;
    if (!healthy) free(object);
    HIDE(object);
    object->use(); // BUG
    if (healthy) free(object);
    return 0;
}
