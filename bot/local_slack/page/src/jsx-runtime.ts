/**
 * React's JSX runtime with the stand-ins of mrkdwn.ts turned back in every text and attribute.
 * The build gives it to slack-blocks-to-jsx in place of "react/jsx-runtime".
 */
import type { ElementType, Key } from "react";
import * as runtime from "react/jsx-runtime";
import { shown } from "./mrkdwn";

const legible = (value: unknown): unknown =>
  typeof value === "string" ? shown(value) : Array.isArray(value) ? value.map(legible) : value;

const legibleProps = (type: ElementType, props: object): object =>
  typeof type === "string" || type === runtime.Fragment
    ? Object.fromEntries(Object.entries(props).map(([name, value]) => [name, legible(value)]))
    : props;

export const { Fragment } = runtime;
export const jsx = (type: ElementType, props: object, key?: Key) => runtime.jsx(type, legibleProps(type, props), key);
export const jsxs = (type: ElementType, props: object, key?: Key) => runtime.jsxs(type, legibleProps(type, props), key);
