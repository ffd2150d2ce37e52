import linmem from 'linmem/vite'
import { playwright } from '@vitest/browser-playwright'
import { defineConfig } from 'vitest/config'
import { findChromium } from '../../../src/command/chromium.js'

const args = ['--no-sandbox', '--disable-gpu', '--disable-background-networking']

export default defineConfig({
  plugins: [linmem()],
  test: {
    include: ['src/**/*.check.ts'],
    browser: {
      enabled: true,
      headless: true,
      screenshotFailures: false,
      provider: playwright({ launchOptions: { executablePath: findChromium(), args } }),
      instances: [{ browser: 'chromium' }],
    },
  },
})
