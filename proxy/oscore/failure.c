/* The hard thing: without memory OpenSSL may not even be able to write down that there was none, so no reason is that
 * reason. */
#include "oscore/failure.h"
#include "base/err.h"

#include <openssl/err.h>
#include <stdbool.h>

int cg_openssl_failure(void) {
    bool named_memory = false, named_other = false;
    for (unsigned long error; (error = ERR_get_error()) != 0;) {
        if (ERR_GET_REASON(error) == ERR_R_MALLOC_FAILURE) {
            named_memory = true;
        } else {
            named_other = true;
        }
    }
    return named_other && !named_memory ? CG_E_INTERNAL : CG_E_NO_MEMORY;
}
