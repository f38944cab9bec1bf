// What Streamlit gives the JavaScript of a component. For `make lint` alone.

/** Where a component's own HTML stands: what a component looks for there is there. */
interface ComponentRoot {
  querySelector<Tag extends keyof HTMLElementTagNameMap>(tag: Tag): HTMLElementTagNameMap[Tag]
  querySelector<Found extends Element = HTMLElement>(selector: string): Found
}

/** Tell the server; a trigger is gone after the rerun that it causes, a state stays. */
type Reporter = (name: string, value: unknown) => void

/** What a component's function is called with, whenever its element is drawn or its data change. */
interface Component<Data> {
  data: Data
  parentElement: ComponentRoot
  setStateValue: Reporter
  setTriggerValue: Reporter
}
