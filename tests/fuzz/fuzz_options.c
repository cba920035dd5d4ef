/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lines are the words of a command line. */
#include "fuzz.h"
#include "idshift/options.h"

#define WORDS_MAX 32

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char name[] = "idshift-mount", *text = fuzz_text(data, size), *at;
	char *argv[WORDS_MAX + 2] = { name };
	struct options options;
	struct error error;
	int argc = 1;

	for (at = text; at != NULL && argc <= WORDS_MAX;)
		argv[argc++] = strsep(&at, "\n");
	if (options_parse(argc, argv, &options, &error) == 0) {
		must(options.action != ACTION_MOUNT ||
		     (options.source != NULL && options.mountpoint != NULL));
		options_destroy(&options);
	} else {
		must(error.exit_code == EXIT_STATUS_MAP ||
		     error.exit_code == EXIT_STATUS_USAGE);
		must(error.text[0] != '\0');
		for (const char *c = error.text; *c != '\0'; c++)
			must((unsigned char)*c >= ' ' && *c != 0x7f);
	}
	free(text);
	return 0;
}
