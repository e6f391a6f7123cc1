using TorBalancer.Onion.Crypto;

namespace TorBalancer.Tests.Onion.Crypto;

public class AesCtrTests
{
    /// <summary>NIST SP 800-38A, F.5.5.</summary>
    [Test]
    public void Apply_gives_the_ciphertext_of_the_standard_however_it_is_cut()
    {
        byte[] key = Convert.FromHexString("603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4");
        byte[] iv = Convert.FromHexString("f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff");
        byte[] plain = Convert.FromHexString(
            "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
                + "30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710");
        const string expected =
            "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
                + "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6";

        for (int cut = 0; cut <= plain.Length; cut++)
        {
            byte[] data = [.. plain];
            using var cipher = new AesCtr(key, iv);
            cipher.Apply(data.AsSpan(0, cut));
            cipher.Apply(data.AsSpan(cut));
            Assert.That(Convert.ToHexStringLower(data), Is.EqualTo(expected), $"cut at {cut}");
        }
    }

    [Test]
    public void Counter_carries_over_all_its_bytes()
    {
        byte[] key = new byte[32];
        byte[] last = [.. Enumerable.Repeat((byte)0xFF, 16)];
        byte[] both = new byte[32];
        using (var cipher = new AesCtr(key, last))
            cipher.Apply(both);
        byte[] second = new byte[16];
        using (var cipher = new AesCtr(key, new byte[16]))
            cipher.Apply(second);

        Assert.That(both.AsSpan(16).SequenceEqual(second), Is.True);
    }
}
