/* SPDX-License-Identifier: GPL-2.0-or-later */
/* replay FILE...: each file once through the target; no libFuzzer needed. */
#include "fuzz.h"

/* libFuzzer's own bound is 4096 unless a corpus has more. */
#define INPUT_MAX ((size_t)1 << 20)

int main(int argc, char **argv)
{
	uint8_t *room = malloc(INPUT_MAX);

	must(room != NULL);
	for (int i = 1; i < argc; i++) {
		FILE *file = fopen(argv[i], "rb");
		uint8_t *input;
		size_t size;

		if (file == NULL) {
			perror(argv[i]);
			return 1;
		}
		size = fread(room, 1, INPUT_MAX, file);
		(void)fclose(file);
		/* Of the exact size, for the address sanitizer. */
		input = malloc(size > 0 ? size : 1);
		must(input != NULL);
		memcpy(input, room, size);
		(void)LLVMFuzzerTestOneInput(input, size);
		free(input);
	}
	free(room);
	return 0;
}
