using CsCheck;
using TorBalancer.Balancing;
using TorBalancer.Protocols;
using TorBalancer.Tests.Support;

namespace TorBalancer.Tests.Protocols;

public class UserParametersPropertyTests
{
    private static readonly UserParametersParser Parser = new(SelectionPolicyNames.All);

    // Without '_', which separates parameters in a password.
    private static readonly Gen<string> Value = Gen.String[Gen.OneOf("abcXYZ019~".ToCharArray()), 1, 20];

    /// <summary>Parameters, and the pairs that say them, in any order.</summary>
    private static readonly Gen<(UserParameters Parameters, string[] Pairs)> Written = Gen.Select(
        Gen.Select(Value, Gen.Int[1, 1440], Gen.Int[1, 1_000_000]),
        Gen.OneOf([.. SelectionPolicyNames.All.Where(static mode => !mode.Contains('_'))]),
        Gen.Select(Gen.Char['a', 'z'], Gen.Char['a', 'z']), Gen.Int[0, 119]).Select(static one =>
        {
            var ((session, minutes, uses), mode, (first, second), order) = one;
            var parameters = new UserParameters
            {
                Session = session,
                SessionLifetime = TimeSpan.FromMinutes(minutes),
                RotateAfterUses = uses,
                Mode = mode,
                Country = $"{first}{second}",
            };
            List<string> pairs =
                [$"session-{session}", $"lifetime-{minutes}m", $"rotate-{uses}", $"mode-{mode}", $"country-{first}{second}"];
            var shuffled = new List<string>();
            for (; pairs.Count > 0; order /= 5)
            {
                shuffled.Add(pairs[order % pairs.Count]);
                pairs.RemoveAt(order % pairs.Count);
            }

            return (parameters, shuffled.ToArray());
        });

    [Test]
    public void User_name_means_what_was_written_into_it() => Written.Holds(static one =>
        Parse(string.Join('-', one.Pairs), "", null) == one.Parameters
        && Parse("customer-Joe-" + string.Join('-', one.Pairs), "", null) == one.Parameters with { BaseUser = "Joe" }
        && Parse("joe," + string.Join(',', one.Pairs), "", "joe") == one.Parameters with { BaseUser = "joe", KnownUser = "joe" });

    [Test]
    public void Password_means_what_was_written_behind_the_secret() =>
        Gen.Select(Written, Gen.String[Gen.Char[' ', '^'], 0, 30]).Holds(static one =>
        {
            var ((parameters, pairs), secret) = one;
            string password = secret + string.Concat(pairs.Select(static pair => "_" + pair));
            var read = Parse("joe", password, null);
            return read == parameters with { BaseUser = "joe", SecretLength = secret.Length }
                && read.SecretOf(new ClientCredentials("joe", password)) == secret;
        });

    private static UserParameters? Parse(string user, string password, string? known) =>
        Parser.Parse(new ClientCredentials(user, password), known, out var parameters).IsError ? null : parameters;
}
