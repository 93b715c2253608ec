/* What the settings tests share: documents in which ' stands for ". */
#ifndef TESTS_SETTINGS_FAKE_TEXT_H
#define TESTS_SETTINGS_FAKE_TEXT_H

#include "settings/settings.h"

/* Parses the document with the folder "/etc/castgate". */
int parse_quoted(const char *document, struct cg_config **config, struct cg_mistakes *mistakes);

/* The snapshot of a document that must be right; its mistakes are printed before the test fails. */
struct cg_config *must_parse(const char *document);
/* The same, given back when the test ends (cmocka's fixtures). */
const struct cg_config *settings_of(const char *document);
int settings_teardown(void **state);
#define settings_test(test) cmocka_unit_test_teardown(test, settings_teardown)

/* A mapping in a document, with what more its object holds. */
#define MAPPING(more) "{'mappings':[{'name':'m','group':'coap://224.0.1.187','security':'none'" more "}]}"

#endif
