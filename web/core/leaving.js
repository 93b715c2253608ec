// While something is here that is nowhere else (a token, members' keys), the browser asks before the page goes.
const ask = (event) => event.preventDefault();

let held = 0;

// Gives the function that ends it.
export function holdPage() {
    if (held++ === 0) addEventListener("beforeunload", ask);
    return () => --held === 0 && removeEventListener("beforeunload", ask);
}
