// Benchmark: a toy text processor. It copies each sentence of a text, puts it
// into title case or in capitals, appends it to a buffer that grows by realloc,
// and hashes what the buffer holds by then.
// Argument: thousands of texts (150 by default).
#include <ctype.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const sentences[] = {
    "it was the best of times, it was the worst of times. ",
    "it was the age of wisdom, it was the age of foolishness. ",
    "it was the epoch of belief, it was the epoch of incredulity. ",
    "it was the season of light, it was the season of darkness. ",
    "it was the spring of hope, it was the winter of despair. ",
    "we had everything before us, we had nothing before us. ",
    "we were all going direct to heaven, we were all going direct the other way. ",
    "in short, the period was so far like the present period, that some insisted on it. ",
    "there were a king with a large jaw and a queen with a plain face, on the throne of england. ",
    "there were a king with a large jaw and a queen with a fair face, on the throne of france. ",
    "in both countries it was clearer than crystal that things in general were settled for ever. ",
    "it was the year of our lord one thousand seven hundred and seventy-five. ",
};
#define SENTENCES (sizeof sentences / sizeof *sentences)

struct text {
    char *bytes;
    size_t length;
};

static void append(struct text *text, const char *sentence) {
    size_t length = strlen(sentence);
    text->bytes = realloc(text->bytes, text->length + length + 1);
    if (text->bytes == NULL) abort();
    memcpy(text->bytes + text->length, sentence, length + 1);
    text->length += length;
}

static void to_title_case(char *text) {
    for (int starts_word = 1; *text != '\0'; text++) {
        if (starts_word) *text = toupper((unsigned char)*text);
        starts_word = isspace((unsigned char)*text);
    }
}

static void to_capitals(char *text) {
    for (; *text != '\0'; text++) *text = toupper((unsigned char)*text);
}

static uint32_t hash(const char *text) {
    uint32_t hash = 2166136261u;
    for (; *text != '\0'; text++) hash = (hash ^ (unsigned char)*text) * 16777619u;
    return hash;
}

static uint32_t process(uint32_t number) {
    struct text text = {0};
    uint32_t checksum = 0;
    for (size_t i = 0; i < SENTENCES; i++) {
        char *sentence = strdup(sentences[(i + number) % SENTENCES]);
        if (sentence == NULL) abort();
        if (i % 2 == 0) to_title_case(sentence);
        else to_capitals(sentence);
        append(&text, sentence);
        free(sentence);
        checksum += hash(text.bytes);
    }
    free(text.bytes);
    return checksum;
}

int main(int argc, char **argv) {
    uint32_t texts = 1000 * (argc > 1 ? atoi(argv[1]) : 150);
    uint32_t checksum = 0;
    for (uint32_t i = 0; i < texts; i++) checksum += process(i);
    printf("%u\n", checksum);
    return 0;
}
