/* Reads a document with cJSON and prints it, 50 times.
 *
 * usage: cjson [leak|text|pages]
 *   leak    forgets cJSON_Delete
 *   text    forgets to free what cJSON_PrintUnformatted returns
 *   pages   detaches an item instead of deleting it, and forgets it
 */
#include <stdio.h>
#include <string.h>

#include "cJSON.h"

static const char document[] =
    "{\"name\":\"heap\",\"pages\":[16,17,18],\"steady\":true,\"next\":{\"name\":\"stack\",\"pages\":[]}}";

static size_t once(const char *forget)
{
    cJSON *root = cJSON_Parse(document);
    if (strcmp(forget, "pages") == 0) {
        cJSON_DetachItemFromObject(root, "pages");
    } else {
        cJSON_DeleteItemFromObject(root, "pages");
    }
    char *text = cJSON_PrintUnformatted(root);
    size_t length = strlen(text);
    if (strcmp(forget, "text") != 0) cJSON_free(text);
    if (strcmp(forget, "leak") != 0) cJSON_Delete(root);
    return length;
}

int main(int argc, char **argv)
{
    const char *forget = argc > 1 ? argv[1] : "";
    size_t length = 0;
    for (int i = 0; i < 50; i++) length += once(forget);
    printf("%zu characters\n", length);
    return 0;
}
