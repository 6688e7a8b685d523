/* SPDX-License-Identifier: GPL-3.0-or-later */
/* ethers(5): MAC addresses by host name, read once into a sorted table. */
#include "agent/config_build.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#define DEFAULT_PATH "/etc/ethers"

struct ether {
	char *name;
	uint8_t mac[6];
	size_t number; /* the first of equal names counts */
};

struct config_ethers {
	struct ether *items;
	size_t count, room;
};

void config_free_ethers(struct config_ethers *ethers)
{
	if (!ethers)
		return;
	for (size_t i = 0; i < ethers->count; i++)
		free(ethers->items[i].name);
	free(ethers->items);
	free(ethers);
}

/* Octets in ethers(5) may be written with one digit: 8:0:20:1:2:3. */
static bool parse_mac(const char *text, uint8_t mac[6])
{
	unsigned octets[6];
	int length = 0;

	if (sscanf(text, "%2x:%2x:%2x:%2x:%2x:%2x%n", &octets[0], &octets[1], &octets[2], &octets[3],
		   &octets[4], &octets[5], &length) != 6 ||
	    text[length] != '\0')
		return false;
	for (size_t i = 0; i < 6; i++)
		mac[i] = (uint8_t)octets[i];
	return true;
}

static bool add_ether(struct config_ethers *ethers, const char *name, const uint8_t mac[6])
{
	size_t room = ethers->room ? ethers->room * 2 : 64;
	struct ether *items = ethers->items, *ether;

	if (ethers->count == ethers->room) {
		items = realloc(items, room * sizeof(*items));
		if (!items)
			return false;
		ethers->items = items;
		ethers->room = room;
	}
	ether = &items[ethers->count];
	ether->name = strdup(name);
	ether->number = ethers->count;
	memcpy(ether->mac, mac, 6);
	if (ether->name)
		ethers->count++;
	return ether->name != NULL;
}

static void read_line(struct config_build *build, struct config_ethers *ethers, const char *path, int number,
		      char *line)
{
	char *rest = NULL, *address, *name;
	uint8_t mac[6];

	line[strcspn(line, "#\r\n")] = '\0';
	address = strtok_r(line, " \t", &rest);
	if (!address)
		return;
	name = strtok_r(NULL, " \t", &rest);
	if (!name || !parse_mac(address, mac))
		config_warning(build->report, path, number,
			       "ignored: not of the form \"52:54:00:12:34:56 name\"");
	else if (!add_ether(ethers, name, mac))
		config_error(build->report, path, number, "out of memory");
}

static int compare_ethers(const void *a, const void *b)
{
	const struct ether *left = a, *right = b;
	int order = strcmp(left->name, right->name);

	return order ? order : left->number < right->number ? -1 : 1;
}

static void read_lines(struct config_build *build, struct config_ethers *ethers, const char *path, FILE *in)
{
	char *line = NULL;
	size_t room = 0;
	int number = 0;

	while (getline(&line, &room, in) >= 0)
		read_line(build, ethers, path, ++number, line);
	free(line);
	if (ethers->count)
		qsort(ethers->items, ethers->count, sizeof(*ethers->items), compare_ethers);
}

void config_read_ethers(struct config_build *build)
{
	const struct config_node *agent = config_child(build->root, "agent");
	const char *configured = agent ? config_get_text(agent, "ethers", NULL) : NULL;
	const char *path = configured ? config_path(build->report, agent->file, configured) : DEFAULT_PATH;
	FILE *in;

	build->ethers = config_new(build, 1, sizeof(*build->ethers));
	if (!build->ethers || !path)
		return;
	in = fopen(path, "re");
	if (!in) {
		if (configured && strcmp(path, DEFAULT_PATH) != 0)
			config_error(build->report, agent->file, config_line(agent, "ethers"),
				     "ethers = \"%s\": %s", configured, strerror(errno));
		return;
	}
	read_lines(build, build->ethers, path, in);
	fclose(in);
}

bool config_find_ether(const struct config_ethers *ethers, const char *name, uint8_t mac[6])
{
	size_t low = 0, high = ethers ? ethers->count : 0;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(ethers->items[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	if (!ethers || low == ethers->count || strcmp(ethers->items[low].name, name) != 0)
		return false;
	memcpy(mac, ethers->items[low].mac, 6);
	return true;
}
