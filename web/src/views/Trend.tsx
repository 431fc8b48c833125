import { Page } from '../parts/Page';

export default function Trend() {
  return (
    <Page title="Trend">
      <span />
    </Page>
  );
}
