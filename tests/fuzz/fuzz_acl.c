/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "fuzz.h"
#include "idshift/acl.h"

static bool translate(void *context, bool group, uint32_t from, uint32_t *ret)
{
	(void)context;
	(void)group;
	if (from > 65535)
		return false;
	*ret = from + 100000;
	return true;
}

/* What is made of a valid ACL is valid. */
static void change(const struct acl *acl, mode_t mode)
{
	const struct acl_translation how = {
		.translate = translate,
		.unmapped = ACL_UNMAPPED_FAIL,
	};
	struct acl *access = NULL, *copy = NULL, *translated = NULL;
	mode_t got = 0;

	must(acl_mode_bits(acl) <= 0777);
	must(acl_clone(acl, &copy) == 0);
	acl_chmod(copy, mode);
	must(acl_validate(copy) == 0);
	must(acl_mode_bits(copy) == (mode & 0777));
	acl_free(copy);
	must(acl_inherit(acl, mode, &access, &got) == 0);
	must((got & ~mode & 0777) == 0);
	must(access == NULL || acl_validate(access) == 0);
	acl_free(access);
	if (acl_translate(acl, &how, &translated) == 0) {
		must(acl_validate(translated) == 0);
		must(translated->count == acl->count);
		acl_free(translated);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct acl *acl = NULL, *again = NULL;
	uint8_t *blob;
	size_t need;

	if (acl_parse(data, size, &acl) < 0 || acl == NULL)
		return 0;
	need = acl_blob_size(acl);
	must(need == size);
	blob = malloc(need);
	must(blob != NULL);
	must(acl_format(acl, blob, need - 1) < 0);
	must(acl_format(acl, blob, need) == 0);
	must(acl_parse(blob, need, &again) == 0 && again != NULL);
	must(again->count == acl->count);
	must(memcmp(again->entries, acl->entries,
		    acl->count * sizeof(acl->entries[0])) == 0);
	if (acl_validate(acl) == 0)
		change(acl, (mode_t)(data[size - 1] << 4 | data[6]) & 0777);
	free(blob);
	acl_free(again);
	acl_free(acl);
	return 0;
}
