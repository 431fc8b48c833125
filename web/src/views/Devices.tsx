import { Page } from '../parts/Page';

export default function Devices() {
  return (
    <Page title="Devices">
      <span />
    </Page>
  );
}
