// Uses no module at all.
console.log("done");
