/* castgate -c FILE: the gateway in the foreground. */
#ifndef CG_APP_SERVE_H
#define CG_APP_SERVE_H

enum { CG_EXIT_SETTINGS = 2 }; /* exit status: the settings or the command line are wrong */

/* Returns the exit status, after SIGTERM or when it could not start (the log says why). */
int cg_serve(const char *file);

#endif
