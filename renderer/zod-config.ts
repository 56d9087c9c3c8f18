/**
 * Must be imported before any schema is made: zod compiles its parsers with `new Function`, which the page's policy
 * forbids (and reports); without it zod interprets them.
 */
import * as z from 'zod';

z.config({ jitless: true });
