/* The registry of draft-ietf-core-uri-path-abbrev, "Initial Uri-Path-Abbrev values". */
#include "fronts/coap/abbrev.h"

#include <stddef.h>

static const struct {
    uint32_t value;
    const char *path;
} registered[] = {
    {0, "/.well-known/core"},       {1, "/.well-known/rd"},         {2, "/.well-known/edhoc"},
    {301, "/.well-known/est/crts"}, {302, "/.well-known/est/sen"},  {303, "/.well-known/est/sren"},
    {304, "/.well-known/est/skg"},  {305, "/.well-known/est/skc"},  {306, "/.well-known/est/att"},
    {401, "/.well-known/brski/es"}, {402, "/.well-known/brski/rv"}, {403, "/.well-known/brski/vs"},
};

const char *cg_coap_abbrev_path(uint32_t value) {
    for (size_t i = 0; i < sizeof registered / sizeof registered[0]; i++) {
        if (registered[i].value == value) return registered[i].path;
    }
    return NULL;
}
