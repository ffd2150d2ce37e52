// Tells the test that the page is at its end.
export const done = () => fetch("/done");
