import { Page } from '../parts/Page';

export default function ErrorCodes() {
  return (
    <Page title="ErrorCodes">
      <span />
    </Page>
  );
}
