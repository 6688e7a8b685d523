/* SPDX-License-Identifier: GPL-3.0-or-later */
/*
 * What is needed to talk to a BMC: checked, and taken over.
 */
#include <stdio.h>
#include <string.h>

#include "ipmi/internal.h"

static const struct ipmi_protocol *protocol_of(const struct ipmi_bmc_config *c)
{
	return c->version == IPMI_VERSION_1_5 ? &ipmi_protocol_1_5 : &ipmi_protocol_2_0;
}

static bool suites_valid(const struct ipmi_bmc_config *c)
{
	if (c->cipher_suite_count == 0 || c->cipher_suite_count > IPMI_CIPHER_SUITES_MAX)
		return false;
	for (size_t i = 0; i < c->cipher_suite_count; i++)
		if (!ipmi_cipher_suite_supported(c->cipher_suites[i]))
			return false;
	return true;
}

bool ipmi_bmc_config_valid(const struct ipmi_bmc_config *c)
{
	if (!c->host || !*c->host || c->port == 0 || !c->username ||
	    strlen(c->username) > IPMI_MAX_USER_NAME_LENGTH || c->privilege < IPMI_PRIVILEGE_USER ||
	    c->privilege > IPMI_PRIVILEGE_ADMINISTRATOR ||
	    (c->workarounds & ~protocol_of(c)->workarounds) != 0)
		return false;
	if (c->version == IPMI_VERSION_1_5)
		return c->password_length <= IPMI_1_5_MAX_PASSWORD_LENGTH && c->kg_length == 0;
	return c->password_length <= IPMI_PASSWORD_MAX && c->kg_length <= IPMI_MAX_K_G_LENGTH &&
	       suites_valid(c);
}

void ipmi_bmc_configure(struct ipmi_bmc *bmc, const struct ipmi_bmc_config *c)
{
	bmc->port = c->port;
	snprintf(bmc->username, sizeof(bmc->username), "%s", c->username);
	if (c->password_length)
		memcpy(bmc->password, c->password, c->password_length);
	bmc->password_length = (unsigned)c->password_length;
	if (c->kg_length)
		memcpy(bmc->kg, c->kg, c->kg_length);
	bmc->kg_length = (unsigned)c->kg_length;
	bmc->protocol = protocol_of(c);
	bmc->privilege = c->privilege;
	if (c->version == IPMI_VERSION_2_0) {
		memcpy(bmc->suites, c->cipher_suites, c->cipher_suite_count);
		bmc->suite_count = c->cipher_suite_count;
	}
	bmc->timeout_ms = c->timeout_ms ? c->timeout_ms : IPMI_TIMEOUT_MS;
	bmc->retransmit_ms = c->retransmit_ms ? c->retransmit_ms : IPMI_RETRANSMIT_MS;
	bmc->workarounds = c->workarounds;
}
