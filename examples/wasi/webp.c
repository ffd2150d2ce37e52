// Decodes a lossless WebP image of one pixel, which it makes itself.
//
// In WebP, a table of code lengths describes a prefix code. Those here need the largest lookup tables that codes of 280,
// 256 and 40 symbols can need. Without an argument, one symbol of the last code gets a code word of 9 bits instead of 5.
// That makes the code incomplete, so the image is broken. With any argument it stays as it is.
#include <stdint.h>
#include <stdio.h>
#include <webp/decode.h>

static uint8_t file[1024];
static size_t bits;

static void put(unsigned value, int count) {
    for (int i = 0; i < count; i++, bits++) {
        file[bits / 8] |= ((value >> i) & 1) << bits % 8;
    }
}

static void put_name(const char *name) {
    for (int i = 0; i < 4; i++) put((unsigned char)name[i], 8);
}

// A code in which symbols[n] symbols have a code word of n bits.
static void put_prefix_code(const int symbols[16]) {
    put(0, 1);  // not one of the short forms

    // The lengths are written with a prefix code themselves, which has 19 symbols. In the order of the format,
    // 17, 18 and 16 are those with the numbers 0, 1 and 8. The other ones, 0 to 15, get 4 bits each.
    put(19 - 4, 4);
    for (int i = 0; i < 19; i++) put(i == 0 || i == 1 || i == 8 ? 0 : 4, 3);

    put(0, 1);  // no symbols are left out
    for (int length = 0; length < 16; length++) {
        for (int i = 0; i < symbols[length]; i++) {
            for (int bit = 3; bit >= 0; bit--) put(length >> bit, 1);
        }
    }
}

int main(int argc, char **argv) {
    static const int green[16] = {0, 1, 1, 0, 0, 0, 0, 0, 0, 47, 121, 73, 1, 33, 1, 2};
    static const int others[16] = {0, 1, 1, 0, 0, 0, 0, 0, 0, 51, 133, 17, 49, 1, 1, 2};
    static int distance[16] = {0, 1, 1, 1, 1, 1, 0, 0, 0, 3, 25, 0, 3, 1, 1, 2};
    (void)argv;
    if (argc == 1) {
        distance[5]--;
        distance[9]++;
    }

    put_name("RIFF");
    put(sizeof file - 8, 32);
    put_name("WEBP");
    put_name("VP8L");
    put(sizeof file - 20, 32);
    put(0x2f, 8);  // signature
    put(0, 14);    // width - 1
    put(0, 14);    // height - 1
    put(0, 4);     // no transparency, version 0
    put(0, 3);     // no transforms, no colour cache, one group of codes
    put_prefix_code(green);
    put_prefix_code(others);  // red
    put_prefix_code(others);  // blue
    put_prefix_code(others);  // alpha
    put_prefix_code(distance);

    int width, height;
    uint8_t *pixels = WebPDecodeRGBA(file, sizeof file, &width, &height);
    if (pixels == NULL) {
        puts("not an image");
        return 0;
    }
    printf("an image of %d x %d\n", width, height);
    WebPFree(pixels);
    return 0;
}
