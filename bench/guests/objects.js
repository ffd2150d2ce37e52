// Benchmark: allocates 200,000 objects of the kinds that programs are made of
// (objects, arrays, closures, strings, entries of a Map), works a little with
// each, and keeps the newest 5,000. Argument: how many thousands (200).
const count = 1000 * Number(scriptArgs[1] ?? 200);

const makers = [
    (i) => ({ id: i, name: "object", next: null }),
    (i) => [i, i + 1, i + 2, i + 3],
    (i) => () => i,
    (i) => `string number ${i}`,
    (i) => ({ id: i, tags: ["a", "b"], point: { x: i, y: -i } }),
];

function weigh(value) {
    if (typeof value === "function") return value();
    if (typeof value === "string") return value.length;
    if (Array.isArray(value)) return value[3];
    return value.id;
}

function mix(checksum, value) {
    let weight = weigh(value);
    for (let i = 0; i < 35; i++) {
        checksum = (checksum * 31 + weight) % 1000003;
        weight = weight >> 1;
    }
    return checksum;
}

const kept = new Map();
let checksum = 0;
for (let i = 0; i < count; i++) {
    const value = makers[i % makers.length](i);
    checksum = mix(checksum, value);
    kept.set(`key ${i % 5000}`, value);
}
for (const value of kept.values()) checksum = mix(checksum, value);
print(`${count} objects, ${kept.size} kept, checksum ${checksum}`);
