// `import "linmem/browser/auto"` watches this page or worker from then on; there is nothing to call.
export {};
