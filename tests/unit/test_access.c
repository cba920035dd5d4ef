/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the permission engine says of reading, writing and executing. */
#include "idshift/access.h"

#include "access_fixture.h"

static uint64_t rng_state;

static uint32_t rng(uint32_t below)
{
	rng_state ^= rng_state << 13;
	rng_state ^= rng_state >> 7;
	rng_state ^= rng_state << 17;
	return (uint32_t)(rng_state >> 20) % below;
}

static void test_texts(void **state)
{
	(void)state;
	for (int rule = 0; rule < ACCESS_RULE_COUNT; rule++) {
		const char *text = access_rule_text((enum access_rule)rule);
		size_t len;

		assert_non_null(text);
		len = strlen(text);
		assert_true(len > 10 && text[len - 1] == '.');
		assert_true(text[0] >= 'A' && text[0] <= 'Z');
		for (int other = 0; other < rule; other++)
			assert_string_not_equal(
				text,
				access_rule_text((enum access_rule)other));
	}
	assert_null(access_rule_text(ACCESS_RULE_COUNT));
	assert_null(access_rule_text((enum access_rule) - 1));
}

static void test_in_group(void **state)
{
	struct access_caller caller = caller_of(1, 10, 0);
	struct access_caller stranger = caller_of(1, ID_NONE, 0);

	(void)state;
	assert_false(access_in_group(&caller, CONTAINER_ID(9)));
	assert_true(access_in_group(&caller, CONTAINER_ID(10)));
	assert_false(access_in_group(&caller, CONTAINER_ID(11)));
	assert_false(access_in_group(&caller, CONTAINER_ID(69)));
	assert_true(access_in_group(&caller, CONTAINER_ID(70)));
	assert_true(access_in_group(&caller, CONTAINER_ID(71)));
	assert_false(access_in_group(&caller, CONTAINER_ID(72)));
	assert_false(access_in_group(&stranger, CONTAINER_ID(ID_NONE)));
	caller.group_count = 0;
	caller.groups = NULL;
	assert_false(access_in_group(&caller, CONTAINER_ID(70)));
}

static const struct {
	uint32_t uid; /* the caller's; its gid is 10 */
	unsigned int caps;
	uint32_t owner;
	uint32_t group;
	mode_t mode;
	unsigned int wanted;
	int want;
	enum access_rule rule;
} checks[] = {
	/* The first class that fits decides, even if a later one has more. */
	{ 1, 0, 1, 10, REG | 0700, R | W | X, 0, RULE(OWNER) },
	{ 1, 0, 1, 10, REG | 0077, R, -EACCES, RULE(OWNER) },
	{ 1, 0, 2, 10, REG | 0070, R | W | X, 0, RULE(OWNING_GROUP) },
	{ 1, 0, 2, 71, REG | 0040, R, 0, RULE(OWNING_GROUP) },
	{ 1, 0, 2, 10, REG | 0707, R, -EACCES, RULE(OWNING_GROUP) },
	{ 1, 0, 2, 20, REG | 0007, R | W | X, 0, RULE(OTHER) },
	{ 1, 0, 2, 20, REG | 0770, R, -EACCES, RULE(OTHER) },
	{ 1, 0, 2, 20, REG | 0775, R | W, -EACCES, RULE(OTHER) },
	{ 1, 0, 2, 20, REG | 0000, 0, 0, RULE(NOTHING) },
	{ 1, 0, 2, 20, REG | 0000, 8, 0, RULE(NOTHING) },
	{ 1, 0, 2, 20, REG | 0004, R | 8, 0, RULE(OTHER) },
	{ 0, 0, 2, 20, REG | 0770, R, -EACCES, RULE(OTHER) },
	/* DAC_OVERRIDE: all but executing what nobody may execute. */
	{ 0, ACCESS_CAP_DAC_OVERRIDE, 2, 20, REG | 0000, R | W, 0,
	  RULE(CAP_DAC_OVERRIDE) },
	{ 0, ACCESS_CAP_DAC_OVERRIDE, 2, 20, REG | 0666, X, -EACCES,
	  RULE(NO_EXEC_BIT) },
	{ 0, ACCESS_CAP_DAC_OVERRIDE, 2, 20, REG | 0666, R | X, -EACCES,
	  RULE(NO_EXEC_BIT) },
	{ 0, ACCESS_CAP_DAC_OVERRIDE, 2, 20, REG | 0100, X, 0,
	  RULE(CAP_DAC_OVERRIDE) },
	{ 0, ACCESS_CAP_DAC_OVERRIDE, 2, 20, REG | 0001, R | W | X, 0,
	  RULE(CAP_DAC_OVERRIDE) },
	{ 0, ACCESS_CAP_DAC_OVERRIDE, 0, 0, REG | 0400, W, 0,
	  RULE(CAP_DAC_OVERRIDE) },
	{ 0, ACCESS_CAP_DAC_OVERRIDE, 2, 20, DIR | 0000, R | W | X, 0,
	  RULE(CAP_DAC_OVERRIDE) },
	{ 0, ACCESS_CAP_ALL, 2, 20, REG | 0644, R, 0, RULE(OTHER) },
	/* DAC_READ_SEARCH: to read, and directories to search. */
	{ 5, ACCESS_CAP_DAC_READ_SEARCH, 2, 20, REG | 0000, R, 0,
	  RULE(CAP_DAC_READ_SEARCH) },
	{ 5, ACCESS_CAP_DAC_READ_SEARCH, 2, 20, REG | 0000, W, -EACCES,
	  RULE(OTHER) },
	{ 5, ACCESS_CAP_DAC_READ_SEARCH, 2, 20, REG | 0110, X, -EACCES,
	  RULE(OTHER) },
	{ 5, ACCESS_CAP_DAC_READ_SEARCH, 2, 20, REG | 0110, R | X, -EACCES,
	  RULE(OTHER) },
	{ 5, ACCESS_CAP_DAC_READ_SEARCH, 2, 20, DIR | 0000, R | X, 0,
	  RULE(CAP_DAC_READ_SEARCH) },
	{ 5, ACCESS_CAP_DAC_READ_SEARCH, 2, 20, DIR | 0000, W | X, -EACCES,
	  RULE(OTHER) },
	{ 5, ACCESS_CAP_CHOWN | ACCESS_CAP_FOWNER | ACCESS_CAP_FSETID, 2, 20,
	  DIR | 0000, X, -EACCES, RULE(OTHER) },
	/* Unmapped owners: capabilities do not count, classes still do. */
	{ 0, ACCESS_CAP_ALL, ID_NONE, 20, REG | 0600, R, -EACCES,
	  RULE(UNMAPPED) },
	{ 0, ACCESS_CAP_ALL, 0, ID_NONE, REG | 0000, R, -EACCES,
	  RULE(UNMAPPED) },
	{ 0, ACCESS_CAP_ALL, ID_NONE, ID_NONE, DIR | 0770, X, -EACCES,
	  RULE(UNMAPPED) },
	{ 0, ACCESS_CAP_ALL, ID_NONE, 10, REG | 0640, R, 0,
	  RULE(OWNING_GROUP) },
	{ 0, ACCESS_CAP_ALL, ID_NONE, ID_NONE, REG | 0604, R, 0, RULE(OTHER) },
	{ 0, 0, ID_NONE, ID_NONE, REG | 0660, R, -EACCES, RULE(OTHER) },
	{ ID_NONE, 0, ID_NONE, ID_NONE, REG | 0660, R, -EACCES, RULE(OTHER) },
};

static void test_check_mode(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(checks); i++) {
		struct access_caller caller =
			caller_of(checks[i].uid, 10, checks[i].caps);
		struct access_object object = object_of(
			checks[i].owner, checks[i].group, checks[i].mode);
		enum access_rule rule = ACCESS_RULE_COUNT;

		assert_int_equal(
			access_check(&caller, &object, checks[i].wanted, &rule),
			checks[i].want);
		assert_int_equal(rule, checks[i].rule);
		assert_int_equal(
			access_check(&caller, &object, checks[i].wanted, NULL),
			checks[i].want);
	}
}

#define ACL_MAX 10
static const struct {
	uint32_t uid; /* gid 10, groups 70 and 71; the object is 2:20's */
	unsigned int caps;
	struct acl_entry entries[ACL_MAX];
	unsigned int wanted;
	int want;
	enum access_rule rule;
} acl_checks[] = {
#define UO(p)                            \
	{                                \
		ACL_USER_OBJ, p, ID_NONE \
	}
#define US(i, p)               \
	{                      \
		ACL_USER, p, i \
	}
#define GO(p)                             \
	{                                 \
		ACL_GROUP_OBJ, p, ID_NONE \
	}
#define GR(i, p)                \
	{                       \
		ACL_GROUP, p, i \
	}
#define MA(p)                        \
	{                            \
		ACL_MASK, p, ID_NONE \
	}
#define OT(p)                         \
	{                             \
		ACL_OTHER, p, ID_NONE \
	}
	{ 2, 0, { UO(4), US(2, 7), GO(7), MA(7), OT(7) }, R, 0, RULE(OWNER) },
	{ 2,
	  0,
	  { UO(4), US(2, 7), GO(7), MA(7), OT(7) },
	  W,
	  -EACCES,
	  RULE(OWNER) },
	{ 1,
	  0,
	  { UO(7), US(1, 6), GO(0), MA(7), OT(0) },
	  R | W,
	  0,
	  RULE(NAMED_USER) },
	{ 1,
	  0,
	  { UO(7), US(1, 6), GO(0), MA(7), OT(7) },
	  X,
	  -EACCES,
	  RULE(NAMED_USER) },
	{ 1,
	  0,
	  { UO(7), US(1, 6), GO(0), MA(4), OT(7) },
	  R | W,
	  -EACCES,
	  RULE(MASK) },
	{ 1,
	  0,
	  { UO(7), US(1, 6), GO(0), MA(4), OT(7) },
	  X,
	  -EACCES,
	  RULE(NAMED_USER) },
	{ 1,
	  0,
	  { UO(7), US(1, 6), GO(0), MA(4), OT(0) },
	  R,
	  0,
	  RULE(NAMED_USER) },
	/* Of two entries for a user the first counts. */
	{ 1,
	  0,
	  { UO(7), US(1, 4), US(1, 7), GO(0), MA(7), OT(7) },
	  W,
	  -EACCES,
	  RULE(NAMED_USER) },
	{ 1,
	  0,
	  { UO(7), US(9, 7), GO(0), GR(70, 6), MA(7), OT(0) },
	  R | W,
	  0,
	  RULE(NAMED_GROUP) },
	/* One group must grant all; groups do not add up. */
	{ 1,
	  0,
	  { UO(7), GO(0), GR(70, 4), GR(71, 2), MA(7), OT(7) },
	  R | W,
	  -EACCES,
	  RULE(NAMED_GROUP) },
	{ 1,
	  0,
	  { UO(7), GO(0), GR(70, 4), GR(71, 2), MA(7), OT(0) },
	  W,
	  0,
	  RULE(NAMED_GROUP) },
	{ 1,
	  0,
	  { UO(7), GO(0), GR(10, 7), MA(5), OT(0) },
	  W,
	  -EACCES,
	  RULE(MASK) },
	/* A group that grants nothing still keeps from "other". */
	{ 1,
	  0,
	  { UO(7), GO(7), GR(70, 0), MA(7), OT(7) },
	  R,
	  -EACCES,
	  RULE(NAMED_GROUP) },
	{ 1, 0, { UO(7), GO(7), GR(72, 0), MA(7), OT(5) }, R, 0, RULE(OTHER) },
	{ 1,
	  0,
	  { UO(7), GO(7), GR(72, 0), MA(7), OT(5) },
	  W,
	  -EACCES,
	  RULE(OTHER) },
	/* The mask does not concern "other". */
	{ 1, 0, { UO(7), GO(7), MA(1), OT(6) }, R | W, 0, RULE(OTHER) },
	/* Unmapped entries match nobody. */
	{ ID_NONE,
	  0,
	  { UO(7), US(ID_NONE, 7), GO(7), GR(ID_NONE, 7), MA(7), OT(4) },
	  W,
	  -EACCES,
	  RULE(OTHER) },
	/* An empty mask: the kernel does not look at the ACL. */
	{ 1,
	  0,
	  { UO(7), US(1, 0), GO(7), MA(0), OT(6) },
	  R | W,
	  0,
	  RULE(OTHER) },
	{ 1, 0, { UO(7), GO(7), GR(70, 7), MA(0), OT(6) }, R, 0, RULE(OTHER) },
	{ 1,
	  0,
	  { UO(7), US(1, 7), GO(7), MA(0), OT(0) },
	  R,
	  -EACCES,
	  RULE(OTHER) },
	/* Capabilities come after the ACL. */
	{ 1,
	  ACCESS_CAP_ALL,
	  { UO(7), US(1, 0), GO(7), MA(7), OT(0) },
	  R,
	  0,
	  RULE(CAP_DAC_READ_SEARCH) },
	{ 1,
	  ACCESS_CAP_ALL,
	  { UO(7), US(1, 0), GO(7), MA(7), OT(0) },
	  W,
	  0,
	  RULE(CAP_DAC_OVERRIDE) },
	{ 1,
	  ACCESS_CAP_ALL,
	  { UO(7), US(1, 7), GO(7), MA(7), OT(0) },
	  R,
	  0,
	  RULE(NAMED_USER) },
	/* Invalid, which no capability helps. */
	{ 1, ACCESS_CAP_ALL, { UO(7), GO(7) }, R, -EIO, RULE(BAD_ACL) },
	{ 1,
	  ACCESS_CAP_ALL,
	  { UO(7), GO(7), { 3, 7, 1 }, OT(7) },
	  R,
	  -EIO,
	  RULE(BAD_ACL) },
};

static struct acl *make_acl(const struct acl_entry *entries)
{
	struct acl *acl = malloc(sizeof(*acl) + ACL_MAX * sizeof(*entries));

	assert_non_null(acl);
	acl->count = 0;
	while (acl->count < ACL_MAX && entries[acl->count].tag != 0) {
		acl->entries[acl->count] = entries[acl->count];
		acl->count++;
	}
	return acl;
}

static void test_check_acl(void **state)
{
	(void)state;
	for (size_t i = 0; i < LENGTH(acl_checks); i++) {
		struct acl *acl = make_acl(acl_checks[i].entries);
		struct access_caller caller =
			caller_of(acl_checks[i].uid, 10, acl_checks[i].caps);
		struct access_object object =
			object_of(2, 20, REG | acl_mode_bits(acl));
		enum access_rule rule = ACCESS_RULE_COUNT;

		object.acl = acl;
		assert_int_equal(access_check(&caller, &object,
					      acl_checks[i].wanted, &rule),
				 acl_checks[i].want);
		assert_int_equal(rule, acl_checks[i].rule);
		acl_free(acl);
	}
}

static void test_check_acl_owning_group(void **state)
{
	static const struct acl_entry entries[ACL_MAX] = { UO(7), GO(4),
							   GR(71, 2), MA(6),
							   OT(7) };
	struct acl *acl = make_acl(entries);
	struct access_caller caller = caller_of(1, 10, 0);
	struct access_object object =
		object_of(2, 70, REG | acl_mode_bits(acl));
	enum access_rule rule;

	(void)state;
	object.acl = acl;
	assert_int_equal(access_check(&caller, &object, R, &rule), 0);
	assert_int_equal(rule, RULE(OWNING_GROUP));
	assert_int_equal(access_check(&caller, &object, W, &rule), 0);
	assert_int_equal(rule, RULE(NAMED_GROUP));
	assert_int_equal(access_check(&caller, &object, R | W, &rule), -EACCES);
	assert_int_equal(rule, RULE(OWNING_GROUP));
	acl_free(acl);
}

/*
 * Mode bits alone, from path_resolution(7): the bits of exactly one class,
 * then the two capabilities.
 */
static int slow_check(const struct access_caller *caller,
		      const struct access_object *object, unsigned int wanted)
{
	bool mapped =
		object->uid.value != ID_NONE && object->gid.value != ID_NONE;
	bool override = mapped && (caller->caps & ACCESS_CAP_DAC_OVERRIDE) != 0;
	bool search =
		mapped && (caller->caps & ACCESS_CAP_DAC_READ_SEARCH) != 0;
	bool member = caller->gid.value == object->gid.value;
	bool dir = S_ISDIR(object->mode);
	unsigned int class;

	for (size_t i = 0; i < caller->group_count; i++)
		member |= caller->groups[i].value == object->gid.value;
	if (object->uid.value == caller->uid.value)
		class = object->mode >> 6 & 7;
	else if (member)
		class = object->mode >> 3 & 7;
	else
		class = object->mode & 7;
	if ((class & wanted) == wanted)
		return 0;
	if (override && (dir || (wanted & X) == 0 || (object->mode & 0111)))
		return 0;
	if (search && (wanted == R || (dir && (wanted & W) == 0)))
		return 0;
	return -EACCES;
}

static uint32_t random_id(bool may_be_unmapped)
{
	static const uint32_t ids[] = { 0, 10, 70, 71, 5, ID_NONE };

	return ids[rng(may_be_unmapped ? 6 : 5)];
}

static void test_check_reference(void **state)
{
	(void)state;
	rng_state = 0x9e3779b97f4a7c15;
	for (int round = 0; round < 200000; round++) {
		struct access_caller caller =
			caller_of(random_id(false), random_id(false), rng(32));
		struct access_object object =
			object_of(random_id(true), random_id(true),
				  (rng(2) ? DIR : REG) | rng(010000));
		unsigned int wanted = rng(8);
		const struct acl_entry entries[ACL_MAX] = {
			{ ACL_USER_OBJ, object.mode >> 6 & 7, ID_NONE },
			{ ACL_GROUP_OBJ, object.mode >> 3 & 7, ID_NONE },
			{ ACL_OTHER, object.mode & 7, ID_NONE },
		};
		struct acl *acl = make_acl(entries);
		enum access_rule rule;
		int want = slow_check(&caller, &object, wanted);

		assert_int_equal(access_check(&caller, &object, wanted, &rule),
				 want);
		assert_true(rule < ACCESS_RULE_COUNT);
		/* An ACL that says what the mode says changes nothing. */
		object.acl = acl;
		assert_int_equal(access_check(&caller, &object, wanted, NULL),
				 want);
		acl_free(acl);
	}
}

/* One more capability never takes away, one more right never grants. */
static void test_monotonic(void **state)
{
	(void)state;
	rng_state = 0x2545f4914f6cdd1d;
	for (int round = 0; round < 100000; round++) {
		struct acl_entry entries[ACL_MAX] = {
			{ ACL_USER_OBJ, (uint16_t)rng(8), ID_NONE },
			{ ACL_USER, (uint16_t)rng(8), random_id(true) },
			{ ACL_GROUP_OBJ, (uint16_t)rng(8), ID_NONE },
			{ ACL_GROUP, (uint16_t)rng(8), random_id(true) },
			{ ACL_GROUP, (uint16_t)rng(8), random_id(true) },
			{ ACL_MASK, (uint16_t)rng(8), ID_NONE },
			{ ACL_OTHER, (uint16_t)rng(8), ID_NONE },
		};
		struct acl *acl = make_acl(entries);
		struct access_caller less =
			caller_of(random_id(false), random_id(false), rng(32));
		struct access_caller more = less;
		struct access_object object =
			object_of(random_id(true), random_id(true),
				  (rng(2) ? DIR : REG) | acl_mode_bits(acl) |
					  rng(8) << 9);
		unsigned int wanted = rng(8);
		unsigned int fewer = wanted & rng(8);

		object.acl = acl;
		more.caps |= 1U << rng(5);
		if (access_check(&less, &object, wanted, NULL) == 0) {
			assert_int_equal(
				access_check(&more, &object, wanted, NULL), 0);
			assert_int_equal(
				access_check(&less, &object, fewer, NULL), 0);
		}
		if (access_owner(&less, &object, NULL) == 0)
			assert_int_equal(access_owner(&more, &object, NULL), 0);
		acl_free(acl);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_texts),
		cmocka_unit_test(test_in_group),
		cmocka_unit_test(test_check_mode),
		cmocka_unit_test(test_check_acl),
		cmocka_unit_test(test_check_acl_owning_group),
		cmocka_unit_test(test_check_reference),
		cmocka_unit_test(test_monotonic),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
