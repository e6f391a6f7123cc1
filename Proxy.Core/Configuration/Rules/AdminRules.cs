using System.Net;
using TorBalancer.Configuration.Options;
using TorBalancer.Configuration.Reading;

namespace TorBalancer.Configuration.Rules;

/// <summary>
/// Who can reach the admin API can do everything with the daemon: from elsewhere only with a token, and better not in the clear.
/// </summary>
internal sealed class AdminRules(AdminOptions admin, GivenValues given, IConfigurationFiles files, RuleReport report)
{
    private const string Section = "Admin";

    public void Check()
    {
        if (admin.Tls is { } tls)
        {
            foreach (string path in (ReadOnlySpan<string>)[tls.Certificate, tls.Key])
            {
                if (!files.Exists(path))
                    report.Error(Section, "Tls", $"Tls = {path} does not exist");
            }

            if (admin.Address is null)
                report.Warning(Section, "Tls", "Tls is without effect: Address = none");
        }

        if (admin.Address is not { } address || IPAddress.IsLoopback(address.Address) || given.AnyFailed(Section, "Token", "TokenFile"))
            return;
        if (admin.Token.Length == 0)
        {
            report.Error(
                Section, "Address",
                $"Address = \"{address}\" is not on loopback: whoever reaches the admin API commands the daemon. "
                    + "Allowed with a Token or TokenFile");
        }
        else if (admin.Tls is null)
        {
            report.Warning(
                Section, "Address",
                $"Address = \"{address}\" is not on loopback and not encrypted: the token can be read on the way. "
                    + "Tls = cert.pem, key.pem helps");
        }
    }
}
