/* A program of nothing but a library: whether it links says whether the library names all that it needs. */
int main(void) { return 0; }
