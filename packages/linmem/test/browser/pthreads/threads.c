// Four threads make texts, and the main function joins them. With the argument "leak" they forget the texts.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static int forgets;
static long sum;

__attribute__((noinline)) static char *make_text(int number) {
  char *text = malloc(64);
  if (text != NULL) snprintf(text, 64, "text %d", number);
  return text;
}

static void *make_texts(void *argument) {
  int first = *(int *)argument;
  free(argument);
  for (int number = first; number < first + 25; number++) {
    char *text = make_text(number);
    pthread_mutex_lock(&lock);
    sum += (long)strlen(text);
    pthread_mutex_unlock(&lock);
    if (!forgets) free(text);
  }
  return NULL;
}

int main(int count, char **words) {
  forgets = count > 1 && strcmp(words[1], "leak") == 0;
  pthread_t threads[4];
  for (int index = 0; index < 4; index++) {
    int *first = malloc(sizeof *first);
    *first = index * 25;
    pthread_create(&threads[index], NULL, make_texts, first);
  }
  for (int index = 0; index < 4; index++) pthread_join(threads[index], NULL);
  printf("%ld\n", sum);
  return 0;
}
