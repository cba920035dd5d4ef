/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What each rule of the permission engine means, for messages. */
#include "idshift/access.h"

static const char *const rule_texts[ACCESS_RULE_COUNT] = {
	[ACCESS_RULE_NOTHING] = "Nothing was asked for that needs permission.",
	[ACCESS_RULE_OWNER] = "The caller owns the object: the owner's "
			      "permissions count, and no others.",
	[ACCESS_RULE_NAMED_USER] =
		"An ACL entry names the caller's user: its permissions count.",
	[ACCESS_RULE_OWNING_GROUP] = "The caller is in the object's group: the "
				     "group's permissions count.",
	[ACCESS_RULE_NAMED_GROUP] = "An ACL entry names a group of the "
				    "caller's: its permissions count.",
	[ACCESS_RULE_MASK] = "An ACL entry grants it to the caller, but the "
			     "ACL's mask takes it away.",
	[ACCESS_RULE_OTHER] = "The caller is neither the owner nor in a group "
			      "of the object: the others' permissions count.",
	[ACCESS_RULE_BAD_ACL] = "The object's ACL is malformed.",
	[ACCESS_RULE_CAP_DAC_OVERRIDE] =
		"The caller's CAP_DAC_OVERRIDE overrides the permissions.",
	[ACCESS_RULE_CAP_DAC_READ_SEARCH] =
		"The caller's CAP_DAC_READ_SEARCH lets it read and search.",
	[ACCESS_RULE_CAP_CHOWN] =
		"The caller's CAP_CHOWN lets it change any owner.",
	[ACCESS_RULE_CAP_FOWNER] =
		"The caller's CAP_FOWNER lets it act as the owner.",
	[ACCESS_RULE_UNMAPPED] =
		"The caller's capability does not count: the object's owner "
		"or group has no id in the container.",
	[ACCESS_RULE_NO_EXEC_BIT] = "No capability allows to execute a file "
				    "that nobody may execute.",
	[ACCESS_RULE_NOT_OWNER] =
		"Only the object's owner may do this, and the caller is not.",
	[ACCESS_RULE_GIVE_AWAY] =
		"Nobody may give an object away without CAP_CHOWN.",
	[ACCESS_RULE_NOT_IN_GROUP] = "The owner may give the object only to a "
				     "group that he is in.",
	[ACCESS_RULE_STICKY] = "The directory is sticky: only the owner of the "
			       "object or of the directory may remove or "
			       "rename it.",
	[ACCESS_RULE_UNSAFE_LINK] =
		"Only the owner may link to a file that is special, setuid or "
		"setgid, or not readable and writable to the caller.",
};

const char *access_rule_text(enum access_rule rule)
{
	if ((unsigned int)rule >= ACCESS_RULE_COUNT)
		return NULL;
	return rule_texts[rule];
}
