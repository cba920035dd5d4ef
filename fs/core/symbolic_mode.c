/* SPDX-License-Identifier: GPL-2.0-or-later */
#include "idshift/symbolic_mode.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#define ALL_BITS ((mode_t)07777)
#define SET_IDS ((mode_t)(S_ISUID | S_ISGID))
/* In so many octal digits, a directory's setuid and setgid are meant too. */
#define DIGITS_FOR_SET_IDS 5

static mode_t spread(mode_t rwx)
{
	return rwx << 6 | rwx << 3 | rwx;
}

/* At least one digit; *text is what follows them then. */
static int parse_digits(const char **text, mode_t *ret)
{
	size_t len = strspn(*text, "01234567");
	mode_t bits = 0;

	if (len == 0)
		return -EINVAL;
	for (size_t i = 0; i < len; i++) {
		bits = bits << 3 | (mode_t)((*text)[i] - '0');
		if (bits > ALL_BITS)
			return -EINVAL;
	}
	*text += len;
	*ret = bits;
	return 0;
}

static int parse_octal(const char *text, struct symbolic_mode *ret)
{
	const char *end = text;
	mode_t bits;
	int r = parse_digits(&end, &bits);

	if (r < 0 || *end != '\0')
		return -EINVAL;
	ret->steps[0] = (struct symbolic_mode_step){
		.op = '=',
		.who = ALL_BITS,
		.bits = bits,
		.mentioned = end - text < DIGITS_FOR_SET_IDS ? bits & SET_IDS :
							       SET_IDS,
	};
	ret->count = 1;
	return 0;
}

static const char *parse_who(const char *text, mode_t *ret)
{
	for (*ret = 0;; text++) {
		switch (*text) {
		case 'u':
			*ret |= S_ISUID | S_IRWXU;
			break;
		case 'g':
			*ret |= S_ISGID | S_IRWXG;
			break;
		case 'o':
			*ret |= S_ISVTX | S_IRWXO;
			break;
		case 'a':
			*ret |= ALL_BITS;
			break;
		default:
			return text;
		}
	}
}

/* What is right of an operator. */
static const char *parse_permissions(const char *text,
				     struct symbolic_mode_step *step)
{
	if (*text == 'u' || *text == 'g' || *text == 'o') {
		step->copy = *text;
		return text + 1;
	}
	for (;; text++) {
		switch (*text) {
		case 'r':
			step->bits |= spread(4);
			break;
		case 'w':
			step->bits |= spread(2);
			break;
		case 'x':
			step->bits |= spread(1);
			break;
		case 'X':
			step->search = true;
			break;
		case 's':
			step->bits |= SET_IDS;
			break;
		case 't':
			step->bits |= S_ISVTX;
			break;
		default:
			step->mentioned = step->bits & SET_IDS;
			if (step->who != 0)
				step->mentioned &= step->who;
			return text;
		}
	}
}

/* Digits right of an operator mean all bits, whatever the umask is. */
static int parse_all(const char **text, struct symbolic_mode_step *step)
{
	step->who = ALL_BITS;
	step->mentioned = SET_IDS;
	return parse_digits(text, &step->bits);
}

static bool is_operator(char c)
{
	return c == '+' || c == '-' || c == '=';
}

static int parse_symbols(const char *text, struct symbolic_mode *ret)
{
	for (;;) {
		mode_t who;

		text = parse_who(text, &who);
		if (!is_operator(*text))
			return -EINVAL;
		while (is_operator(*text)) {
			struct symbolic_mode_step *step;

			if (ret->count == SYMBOLIC_MODE_MAX_STEPS)
				return -EINVAL;
			step = &ret->steps[ret->count++];
			*step = (struct symbolic_mode_step){ .op = *text,
							     .who = who };
			text++;
			/* No class stands before them, nothing behind them. */
			if (who == 0 && *text >= '0' && *text <= '7') {
				if (parse_all(&text, step) < 0)
					return -EINVAL;
				break;
			}
			text = parse_permissions(text, step);
		}
		if (*text == '\0')
			return 0;
		if (*text++ != ',')
			return -EINVAL;
	}
}

int symbolic_mode_parse(const char *text, struct symbolic_mode *ret)
{
	struct symbolic_mode parsed = { .count = 0 };
	int r;

	if (*text >= '0' && *text <= '7')
		r = parse_octal(text, &parsed);
	else
		r = parse_symbols(text, &parsed);
	if (r == 0)
		*ret = parsed;
	return r;
}

static mode_t apply_step(const struct symbolic_mode_step *step, mode_t mode,
			 bool is_dir, mode_t umask)
{
	mode_t kept = is_dir ? SET_IDS & ~step->mentioned : 0;
	mode_t value = step->bits;

	if (step->copy != '\0')
		value = spread((step->copy == 'u' ? mode >> 6 :
				step->copy == 'g' ? mode >> 3 :
						    mode) &
			       S_IRWXO);
	if (step->search && (is_dir || (mode & spread(1)) != 0))
		value |= spread(1);
	value &= (step->who != 0 ? step->who : ~umask) & ~kept;
	if (step->op == '+')
		return mode | value;
	if (step->op == '-')
		return mode & ~value;
	return (mode & ~((step->who != 0 ? step->who : ALL_BITS) & ~kept)) |
	       value;
}

mode_t symbolic_mode_apply(const struct symbolic_mode *change, mode_t mode,
			   mode_t umask)
{
	bool is_dir = S_ISDIR(mode);

	mode &= ALL_BITS;
	for (size_t i = 0; i < change->count; i++)
		mode = apply_step(&change->steps[i], mode, is_dir,
				  umask & 0777);
	return mode;
}
