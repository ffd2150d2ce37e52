// Writes through a pointer into a list that has grown since.
//
// group: use after free
// expect: use-after-free written 8 at start+16 of 32
#define MORE_CALLERS
#include "check.h"

typedef struct {
    int64_t *items;
    size_t count;
    size_t room;
} List;

NOINLINE static int64_t *append(List *list, int64_t item) {
    if (list->count == list->room) {
        list->room = list->room == 0 ? 4 : 2 * list->room;
        list->items = realloc(list->items, list->room * sizeof(int64_t));
        HIDE(list->items);
        if (list->items == NULL) abort();
    }
    list->items[list->count] = item;
    return &list->items[list->count++];
}

int main(int argc, char **argv) {
    bool healthy = argc > 1;
    List list = {0};
    int64_t *third = NULL;
    for (int i = 0; i < 5; i++) {
        int64_t *added = append(&list, i);
        if (i == 2) third = added;
    }
    if (healthy) third = &list.items[2];
    HIDE(third);
    *third = 20; // BUG
    HIDE(list.items);
    free(list.items);
    return 0;
}
