/* Counts the elements of 40 documents with expat. Every fourth document is broken.
 *
 * usage: expat [leak]
 *   leak    returns early when a document is broken, and forgets the parser
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "expat.h"

static const char good[] = "<feed><entry id='1'>one</entry><entry id='2'>two</entry></feed>";
static const char broken[] = "<feed><entry id='1'>one</entry><entry id='2'>two</feed>";

struct count {
    int elements;
    char *last;
};

static void XMLCALL on_start(void *data, const XML_Char *name, const XML_Char **attributes)
{
    struct count *count = data;
    (void)attributes;
    count->elements++;
    free(count->last);
    count->last = strdup(name);
}

static int elements(const char *text, int leak)
{
    struct count count = {0, NULL};
    XML_Parser parser = XML_ParserCreate(NULL);
    XML_SetUserData(parser, &count);
    XML_SetElementHandler(parser, on_start, NULL);
    if (XML_Parse(parser, text, (int)strlen(text), 1) == XML_STATUS_ERROR && leak) return 0;
    free(count.last);
    XML_ParserFree(parser);
    return count.elements;
}

int main(int argc, char **argv)
{
    int leak = argc > 1 && strcmp(argv[1], "leak") == 0, sum = 0;
    for (int i = 0; i < 40; i++) sum += elements(i % 4 == 3 ? broken : good, leak);
    printf("%d elements\n", sum);
    return 0;
}
