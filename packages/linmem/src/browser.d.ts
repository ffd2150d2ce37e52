export interface ReportOptions {
  /** Call stacks to list in each category of hot sites; 3 without it. */
  top?: number;
}

/** What `import "linmem/browser/auto"` has recorded in this page or worker so far. Each throws where nothing is recorded. */
export declare const recording: {
  /** The report as text, as `linmem node` prints it. */
  report(options?: ReportOptions): Promise<string>;
  /** The report as an object: docs/report-json.md describes it. */
  json(options?: ReportOptions): Promise<Record<string, unknown>>;
  /** The recording, for `linmem report`. */
  trace(): Promise<Uint8Array>;
};
