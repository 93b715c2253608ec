/* Where relayed numbers are kept, under the test's control: it lasts as long as the test, and fails when told to. */
#ifndef FAKE_PLACE_H
#define FAKE_PLACE_H

#include "relay/windows.h"

struct fake_place {
    struct cg_windows_place place;
    uint8_t text[65536];
    size_t len;
    size_t writes;
    bool fails;
};

void fake_place_init(struct fake_place *fake);

#endif
