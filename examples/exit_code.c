// Exits with 3, and leaks nothing: 1 allocation of 100 bytes, 1 free.
//
// linmem reports no findings and passes the exit code 3 through.
#include <stdlib.h>

int main(void) {
    char *volatile block = malloc(100);
    free(block);
    return 3;
}
