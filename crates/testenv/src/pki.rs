//! Certificates and keys of one throwaway control plane, made in this process: a new machine may
//! lack the openssl program.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    KeyUsagePurpose, date_time_ymd,
};

/// Group whose members may do everything, without any role (Kubernetes' own constant).
const MASTERS: &str = "system:masters";

/// A certificate with its key, both PEM.
pub(crate) struct Identity {
    pub(crate) certificate: String,
    pub(crate) key: String,
}

/// The authority and the files in its folder.
pub(crate) struct Pki {
    dir: PathBuf,
    authority_pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Pki {
    /// Makes an authority, the API server's certificate and the service account keys in `dir`.
    pub(crate) fn create(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).with_context(|| format!("create {}", dir.display()))?;
        let mut params = CertificateParams::default();
        params
            .distinguished_name
            .push(DnType::CommonName, "underpin-test-ca");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::CrlSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        bound(&mut params);
        let key = KeyPair::generate().context("key of the authority")?;
        let authority_pem = params
            .self_signed(&key)
            .context("sign the authority")?
            .pem();
        let key_pem = key.serialize_pem();
        let pki = Self {
            dir: dir.to_owned(),
            authority_pem,
            issuer: Issuer::new(params, key),
        };
        pki.write("ca.crt", &pki.authority_pem)?;
        pki.write("ca.key", &key_pem)?;
        pki.server("apiserver")?;
        let accounts = KeyPair::generate().context("service account key")?;
        pki.write("sa.key", &accounts.serialize_pem())?;
        pki.write("sa.pub", &accounts.public_key_pem())?;
        Ok(pki)
    }

    /// The authority's certificate, PEM.
    pub(crate) fn authority(&self) -> &str {
        &self.authority_pem
    }

    /// Path of a file made here, such as `ca.crt`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A client certificate for an administrator.
    pub(crate) fn administrator(&self, user: &str) -> Result<Identity> {
        self.client(user, Some(MASTERS))
    }

    /// A client certificate for `user`, member of `group` if one is given.
    pub(crate) fn client(&self, user: &str, group: Option<&str>) -> Result<Identity> {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(DnType::CommonName, user);
        if let Some(group) = group {
            params
                .distinguished_name
                .push(DnType::OrganizationName, group);
        }
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        self.sign(params)
            .with_context(|| format!("certificate of {user}"))
    }

    /// A serving certificate for 127.0.0.1 in `NAME.crt` and `NAME.key`.
    pub(crate) fn server(&self, name: &str) -> Result<()> {
        let names = [
            "127.0.0.1",
            "10.96.0.1",
            "localhost",
            "kubernetes",
            "kubernetes.default",
        ];
        let mut params = CertificateParams::new(names.map(str::to_owned))
            .context("names of the serving certificate")?;
        params.distinguished_name.push(DnType::CommonName, name);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let identity = self
            .sign(params)
            .with_context(|| format!("certificate of {name}"))?;
        self.write(&format!("{name}.crt"), &identity.certificate)?;
        self.write(&format!("{name}.key"), &identity.key)
    }

    fn sign(&self, mut params: CertificateParams) -> Result<Identity> {
        params.key_usages = vec![
            KeyUsagePurpose::DigitalSignature,
            KeyUsagePurpose::KeyEncipherment,
        ];
        bound(&mut params);
        let key = KeyPair::generate().context("key")?;
        let certificate = params.signed_by(&key, &self.issuer).context("sign")?.pem();
        Ok(Identity {
            certificate,
            key: key.serialize_pem(),
        })
    }

    fn write(&self, name: &str, text: &str) -> Result<()> {
        let path = self.path(name);
        fs::write(&path, text).with_context(|| format!("write {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))
            .with_context(|| format!("protect {}", path.display()))
    }
}

/// Fixed dates, so that a machine with a wrong clock can still run tests.
fn bound(params: &mut CertificateParams) {
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(2100, 1, 1);
}
