import { Page } from '../parts/Page';

export default function System() {
  return (
    <Page title="System">
      <span />
    </Page>
  );
}
